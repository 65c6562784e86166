from services.monitor.listen.relay.app import main

if __name__ == "__main__":
    main()
