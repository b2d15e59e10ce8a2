import { parseCard } from '../../../formats/hf/card.ts';
import { decodeUtf8 } from '../../../src/io/text-file.ts';
import { mutateText } from '../mutate/text.ts';
import type { Files, Target } from '../target.ts';

const FILE = 'README.md';
const CARD = `---
license: other
license_name: "a \\"b\\" c"
license_link: 'https://example.org/it''s'
language: [en, zh]   # two
tags:
- plm
- 'edge: #1'
base_model:
  - a/b
datasets: [x/y, "z, w"]
---
# A model
`;

/** The front matter of a model card, which is read as far as it can be, and never refused. */
export const CARD_TARGET: Target = {
  name: 'card',
  cases: 200_000,
  async setUp() {
    return { seeds: [new Map([[FILE, Buffer.from(CARD)]])], mutatorOf: () => mutateText, open };
  },
};

async function open(files: Files): Promise<void> {
  const card = parseCard(decodeUtf8(files.get(FILE) ?? new Uint8Array(), FILE));
  for (const value of Object.values(card).flat()) {
    if (typeof value !== 'string' || value === '' || value.length > 256) throw new Error(`holds ${value}`);
    if (/\p{Cc}/u.test(value)) throw new Error(`holds a control character: ${JSON.stringify(value)}`);
  }
}
