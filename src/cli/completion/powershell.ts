import type { OptionWords, ProgramWords, Values } from './words.ts';

/** Where nothing is offered, PowerShell offers files. */
export function powershellScript({ options, commands }: ProgramWords): string {
  const values = commands.flatMap(({ name, options: own }) =>
    own.flatMap(({ flags, takesValue, values: words }) =>
      takesValue ? flags.map((flag) => `      ${quote(`${name} ${flag}`)} { ${listOf(words)} }`) : [],
    ),
  );
  const flags = commands.map(({ name, options: own }) => `        '${name}' { ${listOf(flagsOf(own))} }`);
  const words = commands.map(({ name, values: own }) => `        '${name}' { ${listOf(own)} }`);
  return `# Completion of plmpress for PowerShell: plmpress completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName plmpress -ScriptBlock {
  param($current, $line, $cursor)
  $words = @($line.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursor } | ForEach-Object { "$_" })
  $command = "$($words | Select-Object -Skip 1 | Where-Object { $_ -notlike '-*' } | Select-Object -First 1)"
  $values = switch -CaseSensitive ("$command $($words[-1])") {
${values.join('\n')}
    default {
      if ($current -like '-*') {
        switch ($command) {
        '' { ${listOf(flagsOf(options))} }
${flags.join('\n')}
        }
      } else {
        switch ($command) {
        '' { ${listOf(commands.map(({ name }) => name))} }
${words.join('\n')}
        }
      }
    }
  }
  $values | Where-Object { $_ -like "$current*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
`;
}

function flagsOf(options: readonly OptionWords[]): string[] {
  return options.flatMap(({ flags }) => flags);
}

function listOf(values: Values = []): string {
  return values === 'path' ? '@()' : `@(${values.map(quote).join(', ')})`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
