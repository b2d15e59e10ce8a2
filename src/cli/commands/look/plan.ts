import { Command, Option } from 'commander';
import type { GgufArchitecture } from '../../../../formats/gguf/architecture.ts';
import type { CacheForm } from '../../../core/config.ts';
import { PressError, usage } from '../../../core/errors.ts';
import type { Model } from '../../../core/model.ts';
import { formatBytes, formatCount, formatCounted } from '../../../core/text/format.ts';
import { QUALITIES, type Quality } from '../../../passes/rounding/calibrated-rounding.ts';
import { predictMeasuring } from '../../../pipeline/calibration/cost.ts';
import { openLiveStatistics } from '../../../pipeline/calibration/open-live.ts';
import { DEVICES, type DeviceProfile, readDevices, selectDevices } from '../../../pipeline/plan/devices.ts';
import { type Prediction, predict } from '../../../pipeline/plan/predict.ts';
import { planTargets } from '../../../pipeline/planning/target.ts';
import { withSource } from '../../../pipeline/sources/open.ts';
import { collect, collectTarget, parseInteger } from '../../arguments.ts';
import { helpText } from '../../help-text.ts';
import type { OpenSession } from '../../session.ts';
import { costLines } from '../../ui/cost.ts';
import { predictionLines } from '../../ui/prediction.ts';
import { cacheOption, ggufArchOption } from '../flags/format-flags.ts';
import { calibrationTokensOption, sourceArgument } from '../flags/input-flags.ts';

interface PlanFlags {
  readonly to?: string[];
  readonly device?: string[];
  readonly deviceFile?: string;
  readonly context?: number;
  readonly mustFit?: boolean;
  readonly ggufArch: GgufArchitecture;
  readonly cache: CacheForm;
  readonly quality: Quality;
  readonly calibrationTokens?: number;
}

/** From nearly exact to the smallest that most would still use. */
const DEFAULT_TARGETS = ['gguf:q8_0', 'gguf:q6_k', 'gguf:q4_k_m', 'gguf:q3_k_m'];

const HELP = `
Known devices: ${DEVICES.map(({ name }) => name).join(', ')}. A device file adds more:
  {"devices": [{"name": "board", "bytesPerSecond": 12800000000,
    "memoryBytes": 4000000000, "usableShare": 0.8}]}

Tokens per second are upper bounds: nominal memory bandwidth / (weights + KV cache). docs/planning.md has the formulas.
Reads headers only, so it is quick for models of any size, also on the Hub.

Examples:
  plmpress plan checkpoint/ --device raspberry-pi-5 --context 1024
  plmpress plan checkpoint/ --to gguf:q4_k_m --gguf-arch deepseek2 \\
    --device phone
  plmpress plan PLM-Team/PLM-1.8B-Instruct --to gguf:q4_k_m \\
    --to onnx:q4 --must-fit`;

export function planCommand(open: OpenSession): Command {
  return new Command('plan')
    .description('predict size, FLOPs, memory and tokens per second of targets on devices')
    .addArgument(sourceArgument())
    .option(
      '--to <target>',
      `target to predict; repeatable; default: ${DEFAULT_TARGETS.join(', ')}`,
      collectTarget,
    )
    .addOption(ggufArchOption())
    .addOption(cacheOption())
    .optionsGroup('Conversion:')
    .addOption(
      new Option('--quality <quality>', 'rounding; best: predict what it takes on this machine, too')
        .choices(QUALITIES)
        .default('fast'),
    )
    .addOption(calibrationTokensOption())
    .optionsGroup('Device:')
    .option('--device <device>', 'device to predict for; repeatable; default: all known devices', collect)
    .option('--device-file <file>', 'JSON file with more devices')
    .option('--context <n>', 'tokens in the KV cache; default: the context of the model', parseInteger(1))
    .option('--must-fit', 'exit code 6 if a target does not fit a device')
    .addHelpText('after', helpText(HELP))
    .action(async (source: string, flags: PlanFlags) => {
      const session = open();
      const devices = await devicesOf(flags);
      const { to = DEFAULT_TARGETS, context, mustFit, ggufArch: arch, cache, quality } = flags;
      if (flags.to === undefined && cache !== 'latent')
        throw usage('--cache is for onnx targets, not for the default ones', '--to onnx:…');
      const predicting = async (model: Model) => {
        // Sizes are the same however the source is stored.
        const options = { arch, cache, quality, allowRequantize: true };
        const sized = { devices, ...(context !== undefined && { context }) };
        if (quality === 'fast') return predict(model, await planTargets(model, to, options), sized);
        const live = await openLiveStatistics(model, { maxTokens: flags.calibrationTokens }, session.access);
        const targets = await planTargets(model, to, { ...options, statistics: live.statistics });
        return { ...predict(model, targets, sized), measuring: await predictMeasuring(live, model, targets) };
      };
      const prediction = await withSource(source, predicting, { ...session.access, remote: true });
      if (session.json) await session.writeJson(prediction);
      else {
        const cost = 'measuring' in prediction ? ['', ...costLines(prediction.measuring)] : [];
        await session.writeLines([...predictionLines(prediction, session.theme), ...cost]);
      }
      const failures = mustFit ? misfits(prediction) : [];
      if (failures.length > 0) await session.fail(misfitFailure(failures));
    });
}

async function devicesOf({ device, deviceFile }: PlanFlags): Promise<readonly DeviceProfile[]> {
  const more = deviceFile === undefined ? [] : await readDevices(deviceFile);
  if (device === undefined) return [...DEVICES, ...more];
  const selected = selectDevices([...DEVICES, ...more], device);
  if (deviceFile !== undefined && !more.some((other) => selected.includes(other))) {
    throw usage(`--device names no device of ${deviceFile}`, more.map(({ name }) => name).join(', '));
  }
  return selected;
}

function misfits({ targets, context }: Prediction): string[] {
  return targets.flatMap(({ target, peakBytes, devices }) =>
    devices
      .filter(({ fits }) => !fits)
      .map(
        ({ name, usableBytes }) =>
          `${target} with ${formatCounted(context, 'token')} needs ${formatBytes(peakBytes)}, ${name} has ${formatBytes(usableBytes)} to use`,
      ),
  );
}

function misfitFailure([first, ...others]: readonly string[]): PressError {
  const more = others.length > 0 ? ` (and ${formatCount(others.length)} more)` : '';
  return new PressError('verification', { what: `${first}${more}` });
}
