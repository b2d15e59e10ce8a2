/** Whether a rule is for the layer `index` of `layers`. */
type Range = (index: number, layers: number) => boolean;

const part = (numerator: number, denominator: number, layers: number) =>
  Math.floor((numerator * layers) / denominator);

const firstEighth: Range = (index, layers) => index < part(1, 8, layers);
const lastEighth: Range = (index, layers) => index >= part(7, 8, layers);

/**
 * The choices of layers that llama-quantize's mixtures make, by what people call them. Parts are rounded
 * down.
 */
export const LAYER_RANGES = {
  'first two layers': (index) => index < 2,
  'first four layers': (index) => index < 4,
  'first sixteenth of layers': (index, layers) => index < part(1, 16, layers),
  'first eighth of layers': firstEighth,
  'outer eighths and every third layer': (index, layers) =>
    firstEighth(index, layers) || lastEighth(index, layers) || (index - part(1, 8, layers)) % 3 === 2,
} as const satisfies Record<string, Range>;

export type LayerRange = keyof typeof LAYER_RANGES;
