//! SqueezeNet: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters" (2016), its version 1.1.

use crate::model;

model! {
    block fire(squeeze, expand)(x) {
        x = Conv2D(squeeze, 1, relu)(x);
        a = Conv2D(expand, 1, relu)(x);
        b = Conv2D(expand, 3, same, relu)(x);
        Concatenate()([a, b])
    }

    /// SqueezeNet 1.1.
    pub SqueezeNet {
        i = Input(224, 224, 3);
        x = Conv2D(64, 3, stride=2, relu)(i);
        for (squeeze, expand) in [(16, 64), (32, 128)] {
            x = MaxPooling2D(3, stride=2)(x);
            x = fire(squeeze, expand)(x);
            x = fire(squeeze, expand)(x);
        }
        x = MaxPooling2D(3, stride=2)(x);
        for (squeeze, expand) in [(48, 192), (48, 192), (64, 256), (64, 256)] {
            x = fire(squeeze, expand)(x);
        }
        x = Dropout(0.5)(x);
        x = Conv2D(1000, 1, relu)(x);
        x = GlobalAveragePooling2D()(x);
        x = Softmax()(x);
    }
}
