"""The tabs. Each names its link and its link fields, is ``render()``-ed in place, ``listen()``-s once all parts exist,
and tells with ``on_model(entry)`` what changes when another checkpoint is chosen."""
