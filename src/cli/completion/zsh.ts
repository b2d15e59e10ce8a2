import type { CommandWords, OptionWords, ProgramWords, Values } from './words.ts';

/** Works sourced, and as a file `_plmpress` in a folder of $fpath. */
export function zshScript({ options, commands }: ProgramWords): string {
  return `#compdef plmpress
# Completion of plmpress for zsh, after compinit: source <(plmpress completion zsh)
_plmpress() {
  local curcontext=$curcontext context state state_descr line
  typeset -A opt_args
  local -a commands=(
${commands.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`).join('\n')}
  )
  _arguments -C \\
${specs(options)}
    '1: :->command' '*:: :->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $line[1] in
${commands.map(commandCase).join('\n')}
      esac
      ;;
  esac
}
if [[ $funcstack[1] == _plmpress ]]; then _plmpress "$@"; else compdef _plmpress plmpress; fi
`;
}

function commandCase({ name, options, values }: CommandWords): string {
  return `        ${name}) _arguments \\\n${specs(options)}\n    ${quote(`*:argument:${action(values)}`)} ;;`;
}

function specs(options: readonly OptionWords[]): string {
  return options
    .flatMap(({ flags, summary, takesValue, values }) =>
      flags.map((flag) => {
        const joined = takesValue && flag.startsWith('--') ? '=' : '';
        const text = summary.replace(/[\\[\]:]/g, '\\$&');
        const value = takesValue ? `:value:${action(values)}` : '';
        return `    ${quote(`*${flag}${joined}[${text}]${value}`)} \\`;
      }),
    )
    .join('\n');
}

function action(values: Values): string {
  if (values === 'path') return '_files';
  return values === undefined ? ' ' : `(${values.join(' ').replaceAll(':', '\\:')})`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
