import { integer, matching } from './schema.ts';

export const SHA256 = /^[0-9a-f]{64}$/;
/** The id of a commit or of a file in git. */
export const GIT_ID = /^[0-9a-f]{40}$/;

export const sha256 = matching(SHA256, '64 hex digits');

/** Members of what is known by its content. */
export const content = { bytes: integer(0), sha256 };
