import type { OptionWords, ProgramWords, Values } from './words.ts';

export function fishScript({ options, commands }: ProgramWords): string {
  const lines = commands.flatMap(({ name, summary, options: own, values }) => {
    const within = `-n ${quote(`__fish_seen_subcommand_from ${name}`)}`;
    return [
      `-n __fish_use_subcommand -a ${name} -d ${quote(summary)}`,
      ...own.map((option) => `${within} ${optionOf(option)}`),
      `${within} ${valuesOf(values)}`,
    ];
  });
  return [
    '# Completion of plmpress for fish: plmpress completion fish | source',
    'complete -c plmpress -e',
    'complete -c plmpress -f',
    ...options.map((option) => `complete -c plmpress -n __fish_use_subcommand ${optionOf(option)}`),
    ...lines.map((line) => `complete -c plmpress ${line}`.trimEnd()),
    '',
  ].join('\n');
}

function optionOf({ flags, summary, takesValue, values }: OptionWords): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const value = takesValue ? ` -r ${valuesOf(values)}` : '';
  return `${names.join(' ')}${value} -d ${quote(summary)}`;
}

function valuesOf(values: Values): string {
  if (values === 'path') return '-F';
  return values === undefined ? '-f' : `-f -a ${quote(values.join(' '))}`;
}

function quote(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`;
}
