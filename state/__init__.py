"""The bus's own database: leases, watermarks, and the migrations that make every table, those of adapters included."""
