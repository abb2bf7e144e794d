import numpy as np

from signgen.poses import skeletons


def test_the_names_are_as_many_as_the_points_and_all_different():
    assert len(set(skeletons.NAMES_133)) == 133
    assert len(set(skeletons.NAMES_18)) == 18


def test_indices_name_what_they_say():
    names = skeletons.NAMES_133
    assert names[skeletons.LEFT_MIDDLE_MCP] == "left_hand_middle_1"
    assert names[skeletons.RIGHT_MIDDLE_MCP] == "right_hand_middle_1"
    assert names[skeletons.LEFT_SHOULDER] == "left_shoulder"
    assert names[skeletons.RIGHT_WRIST] == "right_wrist"
    assert all(name.startswith("left_hand") for name in names[skeletons.LEFT_HAND])
    assert all(name.startswith("face") for name in names[skeletons.FACE])


def test_flipping_twice_changes_nothing():
    for permutation in skeletons.FLIP.values():
        assert (permutation[permutation] == np.arange(len(permutation))).all()


def test_flip_18_is_the_papers_permutation():
    # FPDM: 2<->5, 3<->6, 4<->7, 8<->11, 9<->12, 10<->13, 14<->15, 16<->17
    expected = list(range(18))
    for a, b in [(2, 5), (3, 6), (4, 7), (8, 11), (9, 12), (10, 13), (14, 15), (16, 17)]:
        expected[a], expected[b] = b, a
    assert skeletons.FLIP_18.tolist() == expected


def test_flip_133_exchanges_the_hands_and_mirrors_a_symmetric_face():
    assert skeletons.FLIP_133[skeletons.LEFT_HAND].tolist() == list(range(112, 133))
    jaw = skeletons.FLIP_133[23:40] - 23
    assert jaw.tolist() == list(range(16, -1, -1))
    assert skeletons.FLIP_133[23 + 36] == 23 + 45  # outer corners of the eyes
    assert skeletons.FLIP_133[23 + 48] == 23 + 54  # corners of the mouth
    assert skeletons.FLIP_133[23 + 33] == 23 + 33  # tip between the nostrils
