import { addFourScaled, addScaled } from './add-scaled';
import { levelOf, nearestCode } from './code-grid';
import { floatBytes } from './job';
import { RowWindow } from './row-window';
import { WindowLoss } from './window-loss';

/** Of the codes of plm-tiny, a first sweep changes some 3 %, a second 1 %, a fourth 0.2 %. */
const SWEEPS: i32 = 4;

/**
 * Coordinate descent on the codes of a row (CDQuant, arXiv 2406.17542): each code in turn becomes the best one
 * beside the others, by the loss that is left once later columns take over what they can. `gradient` is room
 * for a window of f32.
 */
export function descend(row: RowWindow, loss: WindowLoss, gradient: usize): void {
  measureGradient(row, loss, gradient);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let changed = false;
    for (let k = 0; k < loss.size; k += 4) {
      const step = f32x4.splat(load<f32>(row.grid(k)));
      const least = f32x4.abs(f32x4.mul(v128.load(loss.diagonal + floatBytes(k)), step));
      const slope = f32x4.abs(v128.load(gradient + floatBytes(k)));
      // Levels are whole numbers: where the best weight is within half a step, the code stays.
      if (!v128.any_true(f32x4.gt(f32x4.add(slope, slope), least))) continue;
      for (let j = k; j < k + 4; j++) {
        const change = improve(
          row,
          j,
          load<f32>(gradient + floatBytes(j)),
          load<f32>(loss.diagonal + floatBytes(j)),
        );
        if (change === 0) continue;
        addScaled(gradient, loss.size, -change, loss.momentsOf(j));
        changed = true;
      }
    }
    if (!changed) return;
  }
}

/** Half of what the loss falls by each weight. */
function measureGradient(row: RowWindow, loss: WindowLoss, gradient: usize): void {
  memory.fill(gradient, 0, floatBytes(loss.size));
  for (let j = 0; j < loss.size; j += 4) {
    const pivots = loss.pivots + floatBytes(j);
    const residuals = row.residuals(j);
    const a0: f32 = load<f32>(pivots) * load<f32>(residuals);
    const a1: f32 = load<f32>(pivots, 4) * load<f32>(residuals, 4);
    const a2: f32 = load<f32>(pivots, 8) * load<f32>(residuals, 8);
    const a3: f32 = load<f32>(pivots, 12) * load<f32>(residuals, 12);
    const w1 = loss.coefficients(j + 1, 0);
    const w2 = loss.coefficients(j + 2, 0);
    const w3 = loss.coefficients(j + 3, 0);
    addFourScaled(gradient, j, a0, a1, a2, a3, loss.coefficients(j, 0), w1, w2, w3);
    const own = floatBytes(j);
    const into = gradient + own;
    store<f32>(into, a0 + a1 * load<f32>(w1 + own) + a2 * load<f32>(w2 + own) + a3 * load<f32>(w3 + own));
    store<f32>(into, a1 + a2 * load<f32>(w2 + own, 4) + a3 * load<f32>(w3 + own, 4), 4);
    store<f32>(into, a2 + a3 * load<f32>(w3 + own, 8), 8);
    store<f32>(into, a3, 12);
  }
}

/** Gives column `k` the code that loses least, and returns by how much its weight has changed. */
function improve(row: RowWindow, k: i32, slope: f32, curvature: f32): f32 {
  const step = load<f32>(row.grid(k));
  if (step === 0 || curvature === 0) return 0;
  const level = load<f32>(row.levels(k));
  const code = nearestCode(row.scheme, level + slope / curvature / step);
  const change: f32 = (levelOf(row.scheme, code) - level) * step;
  if (!(change * (slope + slope - change * curvature) > 0)) return 0;
  row.setCode(k, code);
  return change;
}
