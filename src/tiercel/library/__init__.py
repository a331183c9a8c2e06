"""The public classes that wire themselves: they take a store URL or a config file and hand work to the services."""
