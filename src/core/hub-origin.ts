import { GIT_ID } from './json/hashes.ts';
import { matching, object, type Read } from './json/schema.ts';

/** `org/name`, as the Hub allows names. */
const REPOSITORY = /^(?!.*(--|\.\.))(?![-.])[\w.-]{1,96}(?<![-.])\/(?![-.])[\w.-]{1,96}(?<![-.])$/;

/** Whether `text` is the id of a repository, `org/name`, and nothing more. */
export function isRepository(text: string): boolean {
  return REPOSITORY.test(text);
}

/** A repository of the Hub at one commit. */
export const hubOrigin = object({
  /** `org/name`. */
  repository: matching(REPOSITORY, 'org/name'),
  /** The commit, 40 hex digits. */
  revision: matching(GIT_ID, '40 hex digits'),
});

export type HubOrigin = Read<typeof hubOrigin>;

/** Of what knows more than its origin, nothing else. */
export function originOf({ repository, revision }: HubOrigin): HubOrigin {
  return { repository, revision };
}

/** Where people find a repository of the Hub. */
export function repositoryUrl({ repository }: HubOrigin): string {
  return `https://huggingface.co/${repository}`;
}
