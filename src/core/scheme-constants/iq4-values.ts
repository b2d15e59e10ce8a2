/** Values of the codes 0..15 of IQ4_NL and IQ4_XS in units of the scale: `kvalues_iq4nl` of ggml-common.h. */
export const VALUE_0 = -127;
export const VALUE_1 = -104;
export const VALUE_2 = -83;
export const VALUE_3 = -65;
export const VALUE_4 = -49;
export const VALUE_5 = -35;
export const VALUE_6 = -22;
export const VALUE_7 = -10;
export const VALUE_8 = 1;
export const VALUE_9 = 13;
export const VALUE_10 = 25;
export const VALUE_11 = 38;
export const VALUE_12 = 53;
export const VALUE_13 = 69;
export const VALUE_14 = 89;
export const VALUE_15 = 113;
