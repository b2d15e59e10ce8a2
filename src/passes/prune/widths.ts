/**
 * How many neurons shall go. Of `ratio`, `width` and `budget` one at most is above 0; none: those that never
 * fired.
 */
export interface WidthOptions {
  /** Part of the neurons that go. */
  readonly ratio: number;
  /** Neurons that stay in every layer. */
  readonly width: number;
  /** Most predicted error of a layer, as part of the mean square of its output. */
  readonly budget: number;
  /** `uniform`: the same width in all layers, as GGUF has it; `layer`: each its own. */
  readonly widths: string;
  /** Widths are rounded up to multiples of this, as blocks of K-quants want it. */
  readonly multiple: number;
}

/** The inputs of the choice of widths, by layer. */
export interface LayerLosses {
  /** Neurons that no token set off. */
  readonly silent: number;
  /**
   * Predicted error where the neurons of lowest score go, from 0 of them up to all: `neurons + 1` numbers.
   */
  readonly losses: Float64Array;
}

/** Neurons that stay in each layer, none more than there are. */
export function chooseWidths(layers: readonly LayerLosses[], options: WidthOptions): number[] {
  const { widths, multiple } = options;
  const wanted = layers.map((layer) => wantedWidth(layer, options));
  const shared = Math.max(...wanted);
  return layers.map(({ losses }, index) => {
    const width = widths === 'uniform' ? shared : wanted[index]!;
    return Math.min(losses.length - 1, Math.max(1, Math.ceil(width / multiple)) * multiple);
  });
}

function wantedWidth({ silent, losses }: LayerLosses, { ratio, width, budget }: WidthOptions): number {
  const neurons = losses.length - 1;
  if (width > 0) return Math.min(width, neurons);
  // 1 - ratio is rounded: 0.9 of 10 must not become 10.
  if (ratio > 0) return Math.ceil((1 - ratio) * neurons - 1e-9);
  if (budget === 0) return neurons - silent;
  const tooMany = losses.findIndex((loss) => loss > budget);
  return tooMany < 0 ? 0 : neurons - (tooMany - 1);
}
