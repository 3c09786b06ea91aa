"""Networks: they emit the parameters of transforms, or contexts and features for them."""
