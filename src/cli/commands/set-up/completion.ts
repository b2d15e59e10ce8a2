import { Argument, Command } from 'commander';
import { bashScript } from '../../completion/bash.ts';
import { fishScript } from '../../completion/fish.ts';
import { powershellScript } from '../../completion/powershell.ts';
import { type ProgramWords, programWords } from '../../completion/words.ts';
import { zshScript } from '../../completion/zsh.ts';
import type { OpenSession } from '../../session.ts';

const SCRIPTS: Readonly<Record<string, (words: ProgramWords) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
  powershell: powershellScript,
};

const HELP = `
Put the line of your shell into the file that it reads when it starts:
  bash        ~/.bashrc                    source <(plmpress completion bash)
  zsh         ~/.zshrc, after compinit     source <(plmpress completion zsh)
  fish        ~/.config/fish/config.fish   plmpress completion fish | source
  PowerShell  $PROFILE                     plmpress completion powershell | Out-String | Invoke-Expression

Examples:
  plmpress completion bash
  plmpress completion zsh > _plmpress`;

export function completionCommand(open: OpenSession): Command {
  return new Command('completion')
    .description('print a script that lets a shell complete commands, options, targets, passes and devices')
    .addArgument(new Argument('<shell>', 'whose script').choices(Object.keys(SCRIPTS)))
    .addHelpText('after', HELP)
    .action(async (shell: string, _flags: object, command: Command) => {
      const session = open();
      const script = SCRIPTS[shell]!(programWords(command.parent!));
      if (session.json) await session.writeJson({ shell, script });
      else await session.out.write(script);
    });
}
