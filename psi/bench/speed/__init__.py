"""What each part costs on this machine: `psi bench engine|storage|branching|scheduler`."""
