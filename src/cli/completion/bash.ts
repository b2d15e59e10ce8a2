import type { OptionWords, ProgramWords } from './words.ts';

/**
 * Readline splits words at `:` and `=`, which targets and options hold: words are cut from the line here, and
 * what stands before the last such character is taken off again. Where nothing is offered, readline offers
 * files.
 */
export function bashScript({ options, commands }: ProgramWords): string {
  const values = commands.flatMap(({ name, options: own }) => {
    const places = own.filter(({ takesValue, values: words }) => takesValue && words !== 'path');
    return places.map(
      (option) => `    ${patternsOf(name, option)}) none=1 values=${listOf(option.values)} ;;`,
    );
  });
  const paths = commands.flatMap(({ name, options: own }) =>
    own.filter((option) => option.values === 'path').map((option) => patternsOf(name, option)),
  );
  const rest = commands.map(({ name, options: own, values: words }) => {
    const offered = words === 'path' ? '' : ` none=1 values=${listOf(words)}`;
    return `        ${name}) flags=${listOf(flagsOf(own))}${offered} ;;`;
  });
  return `# Completion of plmpress for bash: source <(plmpress completion bash)
_plmpress() {
  local words word command= option= values= flags= none= start= head= last current breaks
  # The dot keeps an empty last word.
  read -a words <<< "\${COMP_LINE:0:COMP_POINT}."
  last=$(( \${#words[@]} - 1 ))
  current=\${words[last]%.}
  for word in "\${words[@]:1:last-1}"; do
    if [[ -z $command && $word != -* ]]; then command=$word; fi
  done
  option=\${words[last-1]}
  if [[ $current == --*=* ]]; then start=\${current%%=*}= option=\${current%%=*}; fi
  case "$command $option" in
${values.join('\n')}
    ${paths.join(' | \\\n    ')}) return ;;
    *)
      case $command in
        '') none=1 values=${listOf(commands.map(({ name }) => name))} flags=${listOf(flagsOf(options))} ;;
${rest.join('\n')}
      esac
      if [[ $current == -* ]]; then none=1 values=$flags; fi
      ;;
  esac
  if [[ $none ]]; then compopt +o default 2>/dev/null; fi
  COMPREPLY=($(compgen -P "$start" -W "$values" -- "\${current#"$start"}"))
  breaks=\${COMP_WORDBREAKS//[^:=]/}
  if [[ $breaks ]]; then head=\${current%"\${current##*[$breaks]}"}; fi
  COMPREPLY=("\${COMPREPLY[@]#"$head"}")
}
complete -o default -F _plmpress plmpress
`;
}

function patternsOf(command: string, { flags }: OptionWords): string {
  return flags.map((flag) => `'${command} ${flag}'`).join(' | ');
}

function flagsOf(options: readonly OptionWords[]): string[] {
  return options.flatMap(({ flags }) => flags);
}

function listOf(words: OptionWords['values'] = []): string {
  return words === 'path' ? "''" : `'${words.join(' ')}'`;
}
