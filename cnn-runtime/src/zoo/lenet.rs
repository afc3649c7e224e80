//! LeNet-5: LeCun et al., "Gradient-based learning applied to document recognition" (1998).

use crate::model;

model! {
    /// LeNet-5 with all maps of the second convolution connected to all of the first, and poolings without parameters.
    pub LeNet5 {
        i = Input(32, 32, 1);
        x = Conv2D(6, 5, tanh)(i);
        x = AveragePooling2D(2)(x);
        x = Conv2D(16, 5, tanh)(x);
        x = AveragePooling2D(2)(x);
        x = Conv2D(120, 5, tanh)(x);
        x = Flatten()(x);
        x = Dense(84, tanh)(x);
        x = Dense(10, softmax)(x);
    }
}
