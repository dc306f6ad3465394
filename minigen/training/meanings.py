"""What figures say, in a few words each, for whoever shows them to somebody who does not know them.

A figure that is not known here has no words. {n} stands for a number in its name: fid_500 is "fid_{n}".
"""

import re
from collections.abc import Mapping
from typing import Any

BESIDE = (
    "± is a standard deviation. A floor is what real data score, of which no model can be expected to do better: "
    "fid 3 (floor 0.07) is to be held against 0.07, not against 0."
)

MEANINGS = {
    # samples of images
    "fid": "squared Fréchet distance between features of samples and of test images; 0 is equal, lower is better",
    "kid": "squared distance of the same features by a kernel (MMD); 0 is equal, lower is better",
    "fid_{n}": "fid of {n} samples, to follow a training by; far above that of 10,000",
    "kid_{n}": "kid of {n} samples, to follow a training by; less sure than that of 10,000",
    "class_score": "near 10 where every sample is surely of a class, and all ten are drawn; higher is better",
    "precision": "share of the samples that lie among test images: do they look like images?",
    "recall": "share of the test images that lie among samples: are all kinds drawn?",
    "density": "the question of precision, not moved by single outliers; of real data about 1",
    "coverage": "the question of recall, not moved by single outliers",
    "class_entropy": "how evenly the classes are drawn; 1 is evenly",
    "classes": "how many classes have at least a hundredth of the samples",
    "least_class": "share of the samples that are of the rarest class",
    "nearest": "distance to the nearest training image, over that of test images; far below 1 where samples are copies",
    "asked": "share of the samples that are read as the class that was asked for",
    "learned": "accuracy on test images of a small classifier that has seen samples alone",
    # the game of two networks
    "d_test": "what D says of test images, in the mean: 1 is image, 0 is sample (a critic has no such scale)",
    "d_samples": "what D says of samples, in the mean; where it is that of test images, D can not tell them apart",
    "pixel_mean_error": "how far the mean sample is from the mean test image, in grey levels from 0 to 1",
    "pixel_deviation_test": "how much a pixel varies from one test image to another",
    "pixel_deviation_samples": "how much a pixel varies from sample to sample; small where all are alike",
    # likelihoods and their bounds
    "loss": "what the training makes small, of data that it has not seen; lower is better",
    "negative_elbo": "upper bound of -log p(x) in nats, reconstruction + kl (or + prior); lower is better",
    "negative_bound": "a tighter bound than negative elbo, by several samples of z; lower is better",
    "negative_log_likelihood": "-log p(x) in nats; lower is better",
    "reconstruction": "nats that are lost when x is made again of its hidden numbers; lower is better",
    "kl": "nats that the hidden numbers tell of x: how far from N(0, I) they are, given x",
    "prior": "nats that it takes to tell an image's words by the prior",
    "words": "how many words of the book are in use",
    "bits_per_dimension": "-log p(x), or its bound, in bits for each pixel and channel; lower is better",
    "bits_pixels": "the part of it that the last step, to grey levels, takes",
    "bits_steps": "the part of it that the steps between take",
    "bits_prior": "the part of it that the noise at the end takes",
    "squared_error": "mean squared difference of a pixel, in grey levels from 0 to 1, to what should come out",
    "squared_error_of_noise": "squared error of the noisy images as they were given",
    "straightness": "how far paths from noise to image are from straight lines; 0 is straight",
    # classes
    "accuracy": "share that is guessed right",
    "f1": "harmonic mean of precision and recall, averaged over the classes",
    # text
    "nats_per_character": "-log of the probability given to the character that came, in the mean; lower is better",
    "nats_per_word": "-log of the probability given to the word that came, in the mean; lower is better",
    "nats_per_masked_character": "-log of the probability given to a hidden character, in the mean; lower is better",
    "sliding_nats_per_character": "nats per character when each one is guessed from a full context",
    "bits_per_character": "nats per character, in bits",
    "perplexity": "among how many equally likely characters it is in doubt, in the mean; lower is better",
    "unigram_nats": "nats per character of guessing by how frequent characters are",
    "unigram_accuracy": "accuracy of always guessing the most frequent character",
    "distinct_{n}": "share of runs of {n} characters that are different ones; low where the text repeats itself",
    "overlap_{n}": "share of runs of {n} characters that stand in the training text; 1 is a copy",
    "longest_copy": "longest run of characters that stands in the training text",
    "active_units": "how many of the hidden numbers vary with the sentence",
    "recovered": "share of the words that come back in their place when a sentence is written again from its code",
    "recovered_from_another": "the same from the code of another sentence, for comparison",
    "known": "share of the new words that the text has",
    "distinct": "share of the new words that are different ones",
    "distinct_text": "the same of the text's own words",
    "length": "letters of a word, in the mean",
    "right": "share of the texts that are translated without any mistake",
    "right_beam_{n}": "the same when the {n} best beginnings are followed at once",
    "related_cosine": "cosine of the vectors of related words, such as king and queen; higher is better",
    "other_cosine": "cosine of words that are not related, for comparison",
    "related_rank": "how many words are nearer to a word than its relative is; the median of all pairs",
    # the rest
    "ndcg_{n}": "how far up the hidden likings stand among the first {n} recommended; 1 is best",
    "recall_{n}": "share of the hidden likings that are among the first {n} recommended",
    "psnr": "peak signal to noise, in decibels; higher is nearer to the true image",
    "ssim": "structural similarity to the true image; 1 is equal",
    "read": "share that is read as the class of the true image",
    "nats_per_note": "-log of the probability given to the note that came; lower is better",
    "nats_per_note_by_counting": "the same by counting which note follows which",
    "in_key": "share of a tune's notes that are of one key",
    "in_time": "share of the bars that begin with a note",
    "repeated": "share of the bars that stood in the tune before",
    "step": "semitones from note to note, in the mean",
    "notes": "notes of a tune, in the mean",
    "copied": "longest run of notes that stands in a known tune",
    "alone_{n}": "accuracy with {n} training images",
    "changed_{n}": "accuracy with {n} training images, shifted and turned at random",
    "generated_{n}": "accuracy with {n} training images and others that a model drew",
    "both_{n}": "accuracy with {n} training images, changed, and others that a model drew",
    "classifiers": "how many were trained for these figures",
    "error": "squared error of a guessed frame, summed over its pixels; lower is better",
    "error_{n}": "squared error of guessed frame {n}",
    "error_last": "squared error of the last guessed frame",
    "error_of_last_frame": "squared error when the last known frame is shown again, for comparison",
    "distance": "how far translations are from the true images, in grey levels from 0 to 1; lower is better",
    "distance_of_source": "how far the images themselves are from them before they are translated",
    "distance_ab": "how far translations from A to B are from the true images, in grey levels from 0 to 1",
    "distance_ba": "how far translations from B to A are from the true images, in grey levels from 0 to 1",
    "distance_of_ab": "how far images of A are from those of B before they are translated",
    "cycle": "how far an image is from itself after the way there and back, in grey levels from 0 to 1",
}
OF_CLASSES = {  # what names mean beside "f1", where a network reads classes
    "precision": "share that is right of those taken for a class, averaged over the classes",
    "recall": "share that is found of those that are of a class, averaged over the classes",
}
BEGINNINGS = {
    "test": "of test data",
    "validation": "of data held out from the training",
    "held_out": "of real data, to compare with",
}
ENDS = {
    "shuffled": "of words whose letters were shuffled, to compare with",
    "popularity": "of recommending what most like, to compare with",
    "neighbours": "of recommending what goes with what is known, to compare with",
    "truth": "of knowing the true likings, which none can beat",
    "damaged": "of the damaged images",
    "autoencoder": "of what the autoencoder makes of them",
    "diffusion": "of what the diffusion model makes of them",
}


def meaning(name: str, results: Mapping[str, Any]) -> str | None:
    """What the figure NAME of these results says, in a few words; None for one that is not known."""
    known, number = MEANINGS | OF_CLASSES if "f1" in results else MEANINGS, re.search("[0-9]+", name)
    words = known.get(name) or (number and known.get(name.replace(number[0], "{n}", 1)))
    if words:
        return words.replace("{n}", number[0] if number else "")
    for beginning, of in BEGINNINGS.items():
        if name.startswith(f"{beginning}_") and (words := meaning(name.removeprefix(f"{beginning}_"), results)):
            return f"{of}: {words}"
    for end, of in ENDS.items():
        if name.endswith(f"_{end}") and (words := meaning(name.removesuffix(f"_{end}"), results)):
            return f"{of}: {words}"
    return None
