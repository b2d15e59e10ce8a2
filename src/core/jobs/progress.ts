/** Progress events of long work. Rendering (bars, rates, ETA) belongs to the CLI. */
export type ProgressEvent =
  | {
      readonly kind: 'phase';
      readonly name: string;
      readonly total?: number;
      readonly unit?: 'bytes' | 'tokens';
    }
  | { readonly kind: 'advance'; readonly done: number; readonly item?: string }
  | { readonly kind: 'note'; readonly message: string };

export type Progress = (event: ProgressEvent) => void;
