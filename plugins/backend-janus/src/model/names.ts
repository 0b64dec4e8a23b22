/** What the names of the language model's tensors begin with. */
export const decoderPrefix = 'model.language_model.';
