"""The bus's own database: leases, watermarks, and the tables that adapters define for themselves."""
