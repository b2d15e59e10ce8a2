const CELLS = 24;

/** A bar of text for a share from 0 to 1. */
export function textBar(share: number): string {
  const full = Math.round(CELLS * Math.min(1, Math.max(0, share)));
  return '█'.repeat(full) + '░'.repeat(CELLS - full);
}
