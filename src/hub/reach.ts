import { HubRefusal, request } from './request.ts';
import type { HubRun } from './run.ts';

/**
 * Asks the Hub, once, who the owner of the token is, and reads nothing of the answer. Returns whether it takes the token;
 * undefined where there is none.
 * @throws PressError `network` where the Hub does not answer.
 */
export async function reachHub({ settings, signal }: HubRun): Promise<boolean | undefined> {
  const { endpoint, token } = settings;
  try {
    const answer = await request({ ...settings, pauses: [] }, endpoint, `${endpoint}/api/whoami-v2`, {
      ...(signal && { signal }),
    });
    answer.abort(new Error('no longer needed'));
    return token === undefined ? undefined : true;
  } catch (error) {
    if (!(error instanceof HubRefusal) || ![401, 403].includes(error.status)) throw error;
    return token === undefined ? undefined : false;
  }
}
