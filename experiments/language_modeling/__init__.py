"""Recurrent language models: predict each token of a text from all before it.

Claim: the small LSTM of Zaremba et al. (https://arxiv.org/abs/1409.2329) reaches a
test perplexity of 114.5 on the Penn Treebank without regularisation; a character
LSTM of char-rnn's size (https://github.com/karpathy/char-rnn) writes plausible
Shakespeare.

Command: `python -m launch.run --experiment=language_modeling --workdir=DIR`, with
`--flagfile=experiments/language_modeling/NAME.flags` for each recorded result.

Figure: `curves.png` in the workdir.
"""
