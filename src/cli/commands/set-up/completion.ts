import { Argument, Command } from 'commander';
import { bashScript } from '../../completion/bash.ts';
import { fishScript } from '../../completion/fish.ts';
import { powershellScript } from '../../completion/powershell.ts';
import { type ProgramWords, programWords } from '../../completion/words.ts';
import { zshScript } from '../../completion/zsh.ts';
import { helpText } from '../../help-text.ts';
import type { OpenSession } from '../../session.ts';

const SCRIPTS: Readonly<Record<string, (words: ProgramWords) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
  powershell: powershellScript,
};

const HELP = `
Add the line for your shell to its startup file.
  bash, in ~/.bashrc:
    source <(plmpress completion bash)
  zsh, in ~/.zshrc after compinit:
    source <(plmpress completion zsh)
  fish, in ~/.config/fish/config.fish:
    plmpress completion fish | source
  PowerShell, in $PROFILE:
    plmpress completion powershell | Out-String | Invoke-Expression

Examples:
  plmpress completion bash
  plmpress completion zsh > _plmpress`;

export function completionCommand(open: OpenSession): Command {
  return new Command('completion')
    .description('print a completion script for a shell: commands, options and their values')
    .addArgument(new Argument('<shell>', 'shell that the script is for').choices(Object.keys(SCRIPTS)))
    .addHelpText('after', helpText(HELP))
    .action(async (shell: string, _flags: object, command: Command) => {
      const session = open();
      const script = SCRIPTS[shell]!(programWords(command.parent!));
      if (session.json) await session.writeJson({ shell, script });
      else await session.out.write(script);
    });
}
