import type { Progress } from '../core/jobs/progress.ts';
import type { HubSettings } from './settings.ts';

/** Options of every job with the Hub. */
export interface HubRun {
  readonly settings: HubSettings;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}
