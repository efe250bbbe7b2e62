"""Types of NumPy arrays that statistics and metrics share."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.floating]  # [N, D]
FeatureArray = npt.NDArray[np.float32]  # features of N images, [N, D]
