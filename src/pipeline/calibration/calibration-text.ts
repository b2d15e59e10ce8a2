import { fileURLToPath } from 'node:url';
import { chatFormOf } from '../../../formats/webgpu/chat-form.ts';
import { parseJson } from '../../core/json/json.ts';
import { array, object, type Read, string } from '../../core/json/schema.ts';
import type { TokenizerSpec } from '../../core/tokenizer/tokenizer-spec.ts';
import { readTextFile } from '../../io/text-file.ts';
import type { ChatForm } from '../../webgpu/manifest.ts';

/** A text that a model reads for statistics of its activations. */
export interface CalibrationText {
  /** Its name in the statistics. Texts of one name and weight stand there once. */
  readonly name: string;
  readonly text: string;
  /** The weight of each of its tokens. Default 1. */
  readonly weight?: number;
  /**
   * It is spelled in the chat template of the model: the text of special tokens is taken for the tokens, and
   * no bos is added. Default false: all of it is ordinary text, as is right for files of users.
   */
  readonly chat?: boolean;
  /** Leave it out where the model hardly knows its script. Default false. */
  readonly optional?: boolean;
}

/** calibration/text of this package, from a build. Its README says where everything in it comes from. */
const FOLDER = new URL('../../../../calibration/text/', import.meta.url);
/** By kind, a file of passages, which lines of a single % separate. */
const PASSAGE_KINDS = ['prose', 'chinese', 'languages', 'code'];
const DIALOGUE_FILE = 'dialogues.json';
const MAX_BYTES = 1_000_000;

const dialogue = array(object({ role: string, content: string }));
const dialogues = array(dialogue);

type Dialogue = Read<typeof dialogue>;

/**
 * The text that plmpress brings, some 60,000 tokens in passages of at most 512. Kinds take turns, so that a
 * few thousand tokens from the beginning have some of each. Scripts that a model hardly knows are left out.
 * Dialogues are in the chat template of the model if it is one that `chatFormOf` knows, else their messages
 * are paragraphs.
 * @throws PressError local-io where the package is not whole.
 */
export async function bundledTexts({ chatTemplate = '' }: TokenizerSpec): Promise<CalibrationText[]> {
  const form = chatFormOf(chatTemplate);
  const name = 'plmpress dialogues';
  const chats = dialogues(parseJson(await readBundled(DIALOGUE_FILE), DIALOGUE_FILE)).map((messages) =>
    form === undefined
      ? { name, text: messages.map(({ content }) => content).join('\n\n'), optional: true }
      : { name, text: spell(form, messages), chat: true, optional: true },
  );
  const passages = PASSAGE_KINDS.map(async (kind) => {
    const texts = (await readBundled(`${kind}.txt`)).trimEnd().split('\n%\n');
    return texts.map((text) => ({ name: `plmpress ${kind}`, text, optional: true }));
  });
  return spread([chats, ...(await Promise.all(passages))]);
}

async function readBundled(name: string): Promise<string> {
  return (await readTextFile(fileURLToPath(new URL(name, FOLDER)), name, MAX_BYTES)).text;
}

/** A whole conversation, as `ChatEncoder` spells one up to its next answer. */
function spell({ before, between, after, defaultSystem }: ChatForm, messages: Dialogue): string {
  const ownSystem = messages[0]?.role === 'system' || defaultSystem === undefined;
  const all = ownSystem ? messages : [{ role: 'system', content: defaultSystem }, ...messages];
  return all.map(({ role, content }) => `${before}${role}${between}${content}${after}`).join('');
}

/** Merges lists so that the items of each are evenly spread over the whole, in their order. */
function spread<T>(lists: readonly (readonly T[])[]): T[] {
  return lists
    .flatMap((list) => list.map((item, i) => ({ item, at: (i + 0.5) / list.length })))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
