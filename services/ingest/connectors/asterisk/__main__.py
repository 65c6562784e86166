from services.ingest.connectors.asterisk.app import main

if __name__ == "__main__":
    main()
