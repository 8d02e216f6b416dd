// Reads events by their schema as any program in Java does, and prints each as JSON. Arguments: a file
// with the schema, a file with an event in hexadecimal on each line, and, to read it as somebody else
// does, a file with his schema.
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;

public class Read {
    public static void main(String[] files) throws Exception {
        Schema written = new Schema.Parser().parse(Files.readString(Path.of(files[0])));
        Schema wanted = files.length > 2 ? new Schema.Parser().parse(Files.readString(Path.of(files[2]))) : written;
        for (String line : Files.readAllLines(Path.of(files[1]))) {
            BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(HexFormat.of().parseHex(line), null);
            System.out.println(new GenericDatumReader<Object>(written, wanted).read(null, decoder));
            if (!decoder.isEnd()) throw new IllegalStateException("bytes are left");
        }
    }
}
