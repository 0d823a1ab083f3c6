"""The 3-D view: plain WebGL2 in the page, its data packed here."""
