/** Progress events of long work. Rendering (bars, rates, ETA) belongs to the CLI. */
export type ProgressEvent =
  | {
      readonly kind: 'phase';
      readonly name: string;
      readonly total?: number;
      readonly unit?: 'bytes' | 'tokens';
      /** Its steps take different times for the same amount: only the rate of the whole phase tells its end. */
      readonly uneven?: boolean;
    }
  /** What is being done, where a phase does several things in turn. */
  | { readonly kind: 'stage'; readonly stage: string }
  | { readonly kind: 'advance'; readonly done: number; readonly item?: string }
  | { readonly kind: 'note'; readonly message: string };

export type Progress = (event: ProgressEvent) => void;
