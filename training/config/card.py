"""What a model card says that no figure tells."""

from training.config.section import Section


class CardText(Section):
    """
    Words of the model's author, for whoever reads its card.

    Parameters
    ----------
    summary : str
        What the model is for, in a sentence or two.
    intended_use : str
    limits : tuple of str
        What it is not good for, and where it is known to be wrong.
    contact : str
        Who answers questions about it.
    licence : str
    """

    summary: str = ""
    intended_use: str = ""
    limits: tuple[str, ...] = ()
    contact: str = ""
    licence: str = ""
