/**
 * To be loaded before a program (`node --import`): its clocks jump an hour back or forth every few times that
 * they are asked, as they do where a machine sleeps, is moved, or is set by hand.
 */
const HOUR = 3_600_000;
/** Milliseconds that the clocks are off, in turn. */
const JUMPS = [0, HOUR, -HOUR, 24 * HOUR, -24 * HOUR];
const ASKED_BETWEEN = 40;

for (const clock of [Date, performance]) {
  const now = clock.now.bind(clock);
  let asked = 0;
  clock.now = () => now() + JUMPS[Math.floor(asked++ / ASKED_BETWEEN) % JUMPS.length]!;
}
