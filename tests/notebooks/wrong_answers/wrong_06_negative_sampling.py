"""Wrong but plausible answers that the lab on negative sampling must refuse."""

from copy import copy, deepcopy


def alone_by_a_shallow_copy(make_loader, data):
    before = vars(data).copy()
    make_loader(data)
    return vars(data) == before


def alone_by_the_same_dict(make_loader, data):
    before = vars(data)
    make_loader(data)
    return vars(data) == before


def alone_by_a_copied_object(make_loader, data):
    before = copy(data)
    make_loader(data)
    return vars(data) == vars(before)


def alone_in_what_was_there(make_loader, data):
    before = deepcopy(vars(data))
    make_loader(data)
    return all(vars(data).get(name) == value for name, value in before.items())


WRONG = {
    "my_leaves_alone": [
        alone_by_a_shallow_copy,
        alone_by_the_same_dict,
        alone_by_a_copied_object,
        alone_in_what_was_there,
    ],
}
