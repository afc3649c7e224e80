//! U-Net: Ronneberger, Fischer & Brox, "U-Net: convolutional networks for biomedical image segmentation" (2015).

use crate::model;

model! {
    block twice(filters)(x) {
        x = Conv2D(filters, 3, relu, kernel_initializer=he_normal)(x);
        Conv2D(filters, 3, relu, kernel_initializer=he_normal)(x)
    }

    block down(filters)(x) {
        x = twice(filters)(x);
        (MaxPooling2D(2)(x), x)
    }

    // What the way down saw, without the edges that the way up has lost.
    block up(filters, crop)(x, seen) {
        x = Conv2DTranspose(filters, 2, stride=2)(x);
        twice(filters)(Concatenate()([Cropping2D(crop)(seen), x]))
    }

    /// A segmentation into two classes, without padding: of 572×572 pixels, the 388×388 in the middle.
    pub UNet {
        i = Input(572, 572, 1);
        (x, a) = down(64)(i);
        (x, b) = down(128)(x);
        (x, c) = down(256)(x);
        (x, d) = down(512)(x);
        x = Dropout(0.5)(twice(1024)(x));
        x = up(512, 4)(x, d);
        x = up(256, 16)(x, c);
        x = up(128, 40)(x, b);
        x = up(64, 88)(x, a);
        x = Conv2D(2, 1, softmax)(x);
    }
}
