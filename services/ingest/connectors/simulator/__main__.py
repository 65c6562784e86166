import sys

from services.ingest.connectors.simulator.connector import main

if __name__ == "__main__":
    main(sys.argv[1:])
