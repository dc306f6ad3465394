"""The models, one file each, to be read from top to bottom like the paper. `minigen train NAME` finds them here.

They stand in rooms by kind (latent, adversarial, diffusion, likelihood, language, words, vision, applications); `parts`
holds what several of them share. A model's file holds

    Recipe                       a frozen dataclass; its fields are the command line's flags, their comments the help
    train(recipe, run)           the visible loop; `run` is the folder that it fills, see minigen.training.Run
    load(run) -> Module          the trained networks; like all that follow it needs only a RunFolder to read
    preprocessing(run)           how data must be made to be fed to them, see minigen.data.Preprocessing
    evaluate(run) -> dict        figures on test data, by name; draws pictures into the folder
    Evaluation                   a frozen dataclass; its fields are the flags of `minigen eval`, and `evaluate` takes
                                 one after `run`; absent where nothing can be asked for
    Request                      a frozen dataclass; its fields are the flags of `minigen sample`; n, how much, is one
    sample(run, request, rng)    images, float32 (n, H, W, C) in [0, 1]; absent where nothing can be drawn
    generate(run, request, rng)  for text, in place of `sample`: an iterator over the pieces of a text
    EXTENDABLE                   the recipe's fields that may grow with --resume; absent: ("epochs", "max_steps"), or
                                 ("max_steps",) when the recipe's schedule is "cosine", which falls over all epochs

A new file with the first five is a new command; nothing has to be registered.
"""
