/**
 * Where activations meet weights in a layer: the normed input of q_proj and kv_a_proj; the normed latent that
 * kv_b_proj is applied to; in the latent form of attention also, per head, q_nope (of W_UK^T) and the
 * attended latent (of W_UV); the input of o_proj; the normed input of up_proj; the activations that down_proj
 * is applied to; and what it makes of them. Where kv_b_proj is premultiplied, o_proj reads the attended
 * latent, and `query` and `context` have no channels.
 */
export type Site =
  | 'input'
  | 'latent'
  | 'query'
  | 'context'
  | 'attended'
  | 'ffn'
  | 'activations'
  | 'ffnOutput';
