"""The canonical order and customer as ECC's function modules take them; pure functions, no I/O."""
