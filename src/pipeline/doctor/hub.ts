import { homedir } from 'node:os';
import path from 'node:path';
import { PressError } from '../../core/errors.ts';
import { reachHub } from '../../hub/http/reach.ts';
import type { HubRun } from '../../hub/run.ts';
import { type HubSettings, hubSettings } from '../../hub/settings.ts';
import { type Check, note, ok, problem } from './check.ts';
import { checkFolder } from './disk.ts';

export interface HubCheckOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Whether to ask the Hub itself. */
  readonly online: boolean;
  readonly signal?: AbortSignal | undefined;
}

export async function checkHub({ env, online, signal }: HubCheckOptions): Promise<Check[]> {
  let settings: HubSettings;
  try {
    settings = hubSettings(env);
  } catch (error) {
    if (!(error instanceof PressError)) throw error;
    return [problem('Hub', error.failure, error.message, 'set the variable right, or unset it')];
  }
  const { endpoint, token, cache, offline } = settings;
  const run: HubRun = { settings, signal };
  return [
    offline
      ? note('Hub', `${endpoint}, offline`, 'unset HF_HUB_OFFLINE to download what is not in the cache')
      : ok('Hub', endpoint),
    token === undefined
      ? note(
          'Hub token',
          'none',
          'set HF_TOKEN, or run `hf auth login`, for models with conditions and to push',
        )
      : ok('Hub token', 'found'),
    await checkFolder('Hub cache', cache, homely(cache, env)),
    ...(online ? [await checkAnswer(run)] : []),
  ];
}

async function checkAnswer(run: HubRun): Promise<Check> {
  const name = 'Hub answer';
  if (run.settings.offline) return note(name, 'not checked', 'unset HF_HUB_OFFLINE to check it');
  try {
    const takesToken = await reachHub(run);
    if (takesToken === false) {
      return problem(name, 'network', 'rejects the token', 'make a new one at the settings of your account');
    }
    return ok(name, takesToken ? 'answers and accepts the token' : 'answers');
  } catch (error) {
    run.signal?.throwIfAborted();
    if (!(error instanceof PressError)) throw error;
    const advice = 'check the network, HF_ENDPOINT and HTTPS_PROXY; docs/hub.md explains proxies';
    return problem(name, error.failure, error.message, advice);
  }
}

/** A path as people write it below their home folder, which says who they are. */
function homely(place: string, env: NodeJS.ProcessEnv): string {
  const below = path.relative(env.HOME || homedir(), place);
  return below.startsWith('..') || path.isAbsolute(below) ? place : path.join('~', below);
}
