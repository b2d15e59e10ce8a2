import assert from 'node:assert/strict';
import { type Failure, PressError } from '../../src/core/errors.ts';

/** For `assert.rejects` and `assert.throws`: a PressError of this kind whose message matches. */
export function pressFailure(failure: Failure, message: RegExp): (error: unknown) => true {
  return (error) => {
    if (!(error instanceof PressError)) throw error;
    assert.equal(error.failure, failure);
    assert.match(error.message, message);
    return true;
  };
}
