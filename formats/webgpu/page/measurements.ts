import { byId } from './elements.ts';
import { formatBytes, formatSeconds, formatShare } from './format.ts';
import type { Model, ModelStats } from './runtime.js';

const SVG = 'http://www.w3.org/2000/svg';
/** Milliseconds between two looks while an answer comes: each costs a wait for the GPU. */
const PAUSE = 700;

/** Figures of the model at work. */
export class Measurements {
  #last = 0;

  /** Looks again, if it is time; `now` makes it time. */
  async update(model: Model, now = false): Promise<void> {
    if (!now && performance.now() - this.#last < PAUSE) return;
    this.#last = performance.now();
    showStats(await model.stats());
  }

  /** Tokens per second, and seconds until the first. */
  speed(tokensPerSecond: number, firstToken: number): void {
    fact('speed', `${tokensPerSecond.toFixed(1)} tokens/s`);
    fact('first', formatSeconds(firstToken));
  }
}

function showStats(stats: ModelStats): void {
  const { weightBytes, cacheBytes, workingBytes, bytesPerToken, firing, adapter, storage } = stats;
  fact('context', `${stats.position} of ${stats.contextLength} tokens`);
  fact('memory', formatBytes(weightBytes + cacheBytes + workingBytes));
  const { dense, sparse, cache } = bytesPerToken;
  fact(
    'read',
    firing.length === 0
      ? formatBytes(dense + cache)
      : `${formatBytes(sparse + cache)} of ${formatBytes(dense + cache)}`,
  );
  fact(
    'gpu',
    adapter.description || [adapter.vendor, adapter.architecture].filter(Boolean).join(' ') || 'unknown',
  );
  plot(firing);
  const kept = storage.keptBytes === 0 ? '' : `${formatBytes(storage.keptBytes)} are kept in this browser. `;
  byId('storage-text', HTMLElement).textContent = kept + (storage.note ?? 'The next visit needs no network.');
}

/** One bar per layer: all neurons, and in front those that fired. */
function plot(firing: readonly number[]): void {
  if (firing.length === 0) return;
  const svg = byId('plot', SVGSVGElement);
  const gap = firing.length > 40 ? 0.1 : 0.2;
  svg.setAttribute('viewBox', `0 0 ${firing.length} 1`);
  svg.replaceChildren(
    ...firing.flatMap((share, layer) => [
      bar('silent', layer, 1 - gap, 1, `layer ${layer}: ${formatShare(1 - share)} silent`),
      bar('fires', layer, 1 - gap, share, `layer ${layer}: ${formatShare(share)} fire`),
    ]),
  );
  const silent = firing.map((share) => 1 - share);
  const mean = silent.reduce((sum, share) => sum + share, 0) / silent.length;
  const range = `${formatShare(Math.min(...silent))} to ${formatShare(Math.max(...silent))}`;
  svg.setAttribute('aria-label', `FFN sparsity by layer: ${formatShare(mean)} on average, ${range}`);
  byId('plot-mean', HTMLElement).textContent = `${formatShare(mean)} silent`;
  byId('plot-key', HTMLElement).textContent = 'bars: neurons that fire';
  byId('plot-last', HTMLElement).textContent = `layer ${firing.length - 1}`;
}

function bar(className: string, layer: number, width: number, height: number, text: string): SVGElement {
  const rect = document.createElementNS(SVG, 'rect');
  rect.setAttribute('class', className);
  const place = { x: layer, y: 1 - height, width, height };
  for (const [name, value] of Object.entries(place)) rect.setAttribute(name, String(value));
  const title = document.createElementNS(SVG, 'title');
  title.textContent = text;
  rect.append(title);
  return rect;
}

function fact(name: string, text: string): void {
  byId(`fact-${name}`, HTMLElement).textContent = text;
}
