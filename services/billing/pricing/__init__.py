"""What things cost, and what tenants are charged for them."""
