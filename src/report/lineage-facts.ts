import { formatCount } from '../core/text/format.ts';
import type { FileContent, Lineage } from '../pipeline/artifacts/lineage.ts';

type Fact = readonly [name: string, value: string];

/** What was compared, by content, and how the artifact was made. */
export function lineageFacts({ source, artifact, record, texts }: Lineage): Fact[] {
  const origin = source.origin && `${source.origin.repository} at ${source.origin.revision}`;
  return [
    ['source', `${source.name} (${source.format})`],
    ...(origin === undefined ? [] : [['source on the Hub', origin] as const]),
    ...source.files.map((file): Fact => ['file of the source', describe(file)]),
    ...(artifact === undefined ? [] : [['artifact', `${artifact.name} (${artifact.format})`] as const]),
    ...(artifact?.files ?? []).map((file): Fact => ['file of the artifact', describe(file)]),
    ...(record === undefined
      ? []
      : ([
          ['made as', `${record.target} by plmpress ${record.version}`],
          ['options', options(record.options)],
          ['passes', record.passes.length === 0 ? 'none' : record.passes.join(', ')],
        ] as const)),
    ...(texts.length === 0 ? [['text', 'the built-in sample'] as const] : []),
    ...texts.map((file): Fact => ['text', describe(file)]),
  ];
}

function describe({ name, bytes, sha256 }: FileContent): string {
  return `${name}, ${formatCount(bytes)} bytes, SHA-256 ${sha256}`;
}

function options(values: NonNullable<Lineage['record']>['options']): string {
  const given = Object.entries(values).map(([name, value]) => `${name} = ${String(value)}`);
  return given.length === 0 ? 'none' : given.join(', ');
}
