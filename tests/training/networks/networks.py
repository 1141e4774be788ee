"""Modules as users write them, in a directory that ``--code_dir`` names; there is torch where they are imported."""

from typing import Any

import torch


class Wide(torch.nn.Module):  # type: ignore[misc]  # torch's types are not here
    """Answers with scores, as most do; how many columns it has to it is told."""

    def __init__(self, input_dim: int, output_dim: int = 1, hidden: int = 16, dropout: float = 0.1) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(input_dim, hidden),
            torch.nn.BatchNorm1d(hidden),
            torch.nn.ReLU(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(hidden, output_dim),
        )

    def forward(self, X: Any) -> Any:
        return self.layers(X)


class Likely(Wide):
    """Answers with probabilities, as skorch's default criterion wants."""

    def forward(self, X: Any) -> Any:
        return torch.softmax(super().forward(X), dim=-1)


class Flat(Wide):
    """Answers with one number a row, and not with a column of them."""

    def forward(self, X: Any) -> Any:
        return super().forward(X).squeeze(-1)


class Fixed(Wide):
    """Does not ask how many classes there are."""

    def __init__(self, input_dim: int) -> None:
        super().__init__(input_dim, output_dim=7)


class Counting(Wide):
    """Looks at its rows while it answers, which no graph can."""

    def forward(self, X: Any) -> Any:
        return super().forward(X) * len([row for row in X.tolist() if row[0] > 0])


class Fickle(Wide):
    """Answers otherwise where it is exported."""

    def forward(self, X: Any) -> Any:
        scores = super().forward(X)
        return 2 * scores if torch.compiler.is_exporting() else scores


NUMBER = 3
