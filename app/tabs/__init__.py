"""The tabs of the page. Each is made, then ``render()``-ed in place, then ``listen()``-s once all parts exist."""
