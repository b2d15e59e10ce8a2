import * as iq4 from '../core/scheme-constants/iq4-values.ts';

/** Values of the codes of IQ4_NL and IQ4_XS, in units of the scale. */
export const IQ4_VALUES = Int8Array.of(
  iq4.VALUE_0,
  iq4.VALUE_1,
  iq4.VALUE_2,
  iq4.VALUE_3,
  iq4.VALUE_4,
  iq4.VALUE_5,
  iq4.VALUE_6,
  iq4.VALUE_7,
  iq4.VALUE_8,
  iq4.VALUE_9,
  iq4.VALUE_10,
  iq4.VALUE_11,
  iq4.VALUE_12,
  iq4.VALUE_13,
  iq4.VALUE_14,
  iq4.VALUE_15,
);
