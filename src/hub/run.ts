import type { Progress } from '../core/jobs/progress.ts';
import type { HubSettings } from './settings.ts';

/** What every job with the Hub takes. */
export interface HubRun {
  readonly settings: HubSettings;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}
