import type { HubRun } from '../run.ts';
import { HubRefusal } from './fault.ts';
import { request } from './request.ts';

/**
 * Asks the Hub, once, who the owner of the token is, and reads nothing of the answer. Returns whether it
 * takes the token; undefined where there is none.
 * @throws PressError `network` where the Hub does not answer.
 */
export async function reachHub(run: HubRun): Promise<boolean | undefined> {
  const { settings } = run;
  const { endpoint, token } = settings;
  try {
    const once = { ...run, settings: { ...settings, pauses: [] } };
    const answer = await request(once, endpoint, `${endpoint}/api/whoami-v2`);
    answer.abort(new Error('no longer needed'));
    return token === undefined ? undefined : true;
  } catch (error) {
    if (!(error instanceof HubRefusal) || ![401, 403].includes(error.status)) throw error;
    return token === undefined ? undefined : false;
  }
}
