"""The sentence encoder works offline, remembers, and refuses what is no text."""

import time

import numpy as np
import pytest

from segvec3d_core.text import MAX_CHARACTERS, TEXT_DIM, TextEncoder


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder()


def test_vectors_have_unit_length_and_like_means_near(encoder):
    t = encoder.encode(["a mug", "a coffee cup", "a wall"])
    assert t.shape == (3, TEXT_DIM)
    assert np.allclose(np.linalg.norm(t, axis=1), 1, atol=1e-5)
    assert t[0] @ t[1] > t[0] @ t[2]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("the red mug", (-0.053733, 0.068273, -0.078404, 0.095279, 0.011505, 0.048227)),
        ("Something to drink from, please!", (-0.089066, 0.006792, 0.023827, 0.040170, 0.006453, 0.009100)),
        ("élan vital 漢字 ☕", (-0.034922, 0.072898, -0.035895, -0.019414, 0.029469, -0.010428)),
        (" ".join(["word"] * 399), (-0.008124, -0.095586, -0.038673, 0.049662, -0.043794, 0.023720)),
    ],
)
def test_vectors_are_those_of_sentence_transformers(encoder, text, numbers):
    """Version 6.2.0; of the last one only 256 tokens are read."""
    company = encoder.encode([text, "a mug", "there is a laptop on the table"])
    np.testing.assert_allclose(company[0, :6], numbers, atol=1e-5)


def test_the_same_text_gives_the_same_vector_alone_or_in_company(encoder):
    alone = TextEncoder().encode(["the red mug"])
    company = encoder.encode(["a very much longer sentence than the other one", "the red mug"])
    assert np.allclose(alone[0], company[1], atol=1e-5)


def test_a_noun_stands_for_many_phrasings(encoder):
    nouns = encoder.encode_nouns(["mug", "chair"])
    assert nouns.shape == (2, TEXT_DIM)
    assert np.allclose(np.linalg.norm(nouns, axis=1), 1, atol=1e-5)


def test_no_texts_give_no_vectors(encoder):
    assert encoder.encode([]).shape == (0, TEXT_DIM)


@pytest.mark.parametrize(
    ("texts", "error", "words"),
    [
        ([""], ValueError, "empty"),
        (["mug", "  "], ValueError, "empty"),
        (["x" * (MAX_CHARACTERS + 1)], ValueError, "at most 2000 characters, got 2001"),
        ([None], TypeError, "expected a string, got NoneType"),
    ],
)
def test_what_is_no_text_is_refused(encoder, texts, error, words):
    with pytest.raises(error, match=words):
        encoder.encode(texts)


@pytest.mark.parametrize("text", ["красная кружка", "赤いマグ", "☕", "a" * MAX_CHARACTERS, "mug\x00"])
def test_any_alphabet_and_length_is_encoded(encoder, text):
    assert np.isfinite(encoder.encode([text])).all()


def test_a_repeated_text_is_remembered(encoder):
    encoder.encode(["the blue bowl"])
    start = time.perf_counter()
    for _ in range(100):
        encoder.encode(["the blue bowl"])
    remembered = time.perf_counter() - start
    assert "the blue bowl" in encoder._cache
    assert remembered < 0.4  # a hundred look-ups; a hundred encodings take 8 ms each


def test_memory_is_bounded_and_the_answer_whole():
    forgetful = TextEncoder(remembered=3)
    texts = ["a mug", "a cup", "a bowl", "a plate", "a pan"]
    assert forgetful.encode(texts).shape == (5, TEXT_DIM)
    assert len(forgetful._cache) == 3


def test_what_nobody_asked_for_longest_is_forgotten_first():
    forgetful = TextEncoder(remembered=3)
    for texts in (["a mug", "a cup", "a bowl"], ["a mug"], ["a plate"]):
        forgetful.encode(texts)
    assert [*forgetful._cache] == ["a bowl", "a mug", "a plate"]
